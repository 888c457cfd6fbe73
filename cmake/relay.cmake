# The companion that runs on nodes (src/relay): a static program for every architecture that there is a
# compiler and a libcrypto.a for, gzipped, and compiled into a room. See src/engine/relays.hpp.
#
# embed_relays(ROOM)
function(embed_relays room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/relay/*.cpp)
  list(APPEND sources ${CMAKE_SOURCE_DIR}/src/relay_main.cpp)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/relay/*.hpp)
  find_program(GZIP gzip REQUIRED)

  # This machine's, by CMake; small rather than fast: it moves bytes, and libcrypto counts them.
  find_library(LIBCRYPTO_STATIC libcrypto.a REQUIRED)
  add_executable(podwright-relay ${sources})
  target_include_directories(podwright-relay PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(podwright-relay PRIVATE boost_library ${LIBCRYPTO_STATIC})
  target_compile_options(podwright-relay PRIVATE ${RELAY_FLAGS})
  target_link_options(podwright-relay PRIVATE ${RELAY_LINK_FLAGS})
  set(made "")
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" machine)
  pack_relay(${machine} $<TARGET_FILE:podwright-relay> podwright-relay)

  # The other one's, by its cross compiler, where that is installed (scripts/deps arm64).
  if(NOT machine STREQUAL aarch64)
    find_program(ARM64_CXX aarch64-linux-gnu-g++)
    find_file(ARM64_LIBCRYPTO libcrypto.a PATHS /usr/lib/aarch64-linux-gnu NO_DEFAULT_PATH)
    if(ARM64_CXX AND ARM64_LIBCRYPTO)
      set(arm64 ${CMAKE_BINARY_DIR}/podwright-relay-aarch64)
      add_custom_command(
        OUTPUT ${arm64}
        COMMAND ${ARM64_CXX} -std=c++20 ${RELAY_FLAGS} -DBOOST_ASIO_NO_DEPRECATED -I${CMAKE_SOURCE_DIR}/src
                ${sources} ${RELAY_LINK_FLAGS} ${ARM64_LIBCRYPTO} -o ${arm64}
        DEPENDS ${sources} ${headers} VERBATIM COMMENT "Cross-compiling the relay for aarch64")
      pack_relay(aarch64 ${arm64} ${arm64})
      set(PODWRIGHT_RELAY_AARCH64 ${arm64} PARENT_SCOPE)  # for its test
    else()
      message(STATUS "no aarch64-linux-gnu-g++ with a libcrypto.a: nodes of that architecture are served over SSH")
    endif()
  endif()

  set(source ${CMAKE_BINARY_DIR}/embedded_relays.cpp)
  set(text "#include \"engine/relays.hpp\"\n\nnamespace podwright {\n\n")
  set(cases "")
  foreach(machine ${made})
    string(APPEND text "asm(\".section .rodata\\nrelay_${machine}:\\n.incbin \\\"${CMAKE_BINARY_DIR}/relay-${machine}.gz\\\"\\n"
                       "relay_${machine}_end:\\n.byte 0\\n.previous\\n\");\n"
                       "extern \"C\" const char relay_${machine}[];\nextern \"C\" const char relay_${machine}_end[];\n\n")
    string(APPEND cases "  if (machine == \"${machine}\") return {relay_${machine}, static_cast<std::size_t>(relay_${machine}_end - relay_${machine})};\n")
  endforeach()
  string(APPEND text "std::string_view relay_program(std::string_view machine) {\n${cases}  return {};\n}\n\n}  // namespace podwright\n")
  file(CONFIGURE OUTPUT ${source} CONTENT "${text}" @ONLY)
  add_library(embedded_relays STATIC ${source})
  list(TRANSFORM made REPLACE "(.+)" "${CMAKE_BINARY_DIR}/relay-\\1.gz" OUTPUT_VARIABLE packed)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${packed}")
  target_include_directories(embedded_relays PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(room_${room} PUBLIC embedded_relays)
endfunction()

set(RELAY_FLAGS -Os -g0 -DNDEBUG -ffunction-sections -fdata-sections -fstack-protector-strong)
set(RELAY_LINK_FLAGS -static -s -Wl,--gc-sections)

# Appends to `made` of the caller.
macro(pack_relay machine program depends)
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/relay-${machine}.gz
    COMMAND ${GZIP} -9nc ${program} > ${CMAKE_BINARY_DIR}/relay-${machine}.gz
    DEPENDS ${depends} VERBATIM COMMENT "Packing the relay for ${machine}")
  list(APPEND made ${machine})
endmacro()
