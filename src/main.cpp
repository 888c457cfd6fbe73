#include "cli/app.hpp"

int main(int argc, char** argv) { return podwright::cli::run(argc, argv); }
