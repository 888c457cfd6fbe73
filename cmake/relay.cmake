# The companion that runs on nodes (src/relay), for every architecture that there is a compiler and a
# libcrypto.a for, gzipped, and compiled into a room: as a static program, and as a lean one, a third of that,
# which needs the node's own C and C++ libraries. See src/engine/relays.hpp.
#
# embed_relays(ROOM)
function(embed_relays room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/relay/*.cpp)
  list(APPEND sources ${CMAKE_SOURCE_DIR}/src/relay_main.cpp)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/relay/*.hpp)
  find_program(GZIP gzip REQUIRED)

  # This machine's, by CMake; small rather than fast: it moves bytes, and libcrypto counts them.
  find_library(LIBCRYPTO_STATIC libcrypto.a REQUIRED)
  set(made "")
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" machine)
  add_library(relay_objects OBJECT ${sources})
  target_include_directories(relay_objects PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(relay_objects PRIVATE boost_library)
  target_compile_options(relay_objects PRIVATE ${RELAY_FLAGS})
  foreach(kind static lean)
    set(program podwright-relay-${kind})
    add_executable(${program} $<TARGET_OBJECTS:relay_objects>)
    target_link_libraries(${program} PRIVATE ${LIBCRYPTO_STATIC})
    target_link_options(${program} PRIVATE ${RELAY_LINK_FLAGS_${kind}})
    pack_relay(${machine} ${kind} $<TARGET_FILE:${program}> ${program})
  endforeach()

  # The other one's, by its cross compiler, where that is installed (scripts/deps arm64).
  if(NOT machine STREQUAL aarch64)
    find_program(ARM64_CXX aarch64-linux-gnu-g++)
    find_file(ARM64_LIBCRYPTO libcrypto.a PATHS /usr/lib/aarch64-linux-gnu NO_DEFAULT_PATH)
    if(ARM64_CXX AND ARM64_LIBCRYPTO)
      foreach(kind static lean)
        set(arm64 ${CMAKE_BINARY_DIR}/podwright-relay-aarch64-${kind})
        add_custom_command(
          OUTPUT ${arm64}
          COMMAND ${ARM64_CXX} -std=c++20 ${RELAY_FLAGS} -DBOOST_ASIO_NO_DEPRECATED -I${CMAKE_SOURCE_DIR}/src
                  ${sources} ${RELAY_LINK_FLAGS_${kind}} ${ARM64_LIBCRYPTO} -o ${arm64}
          DEPENDS ${sources} ${headers} VERBATIM COMMENT "Cross-compiling the ${kind} relay for aarch64")
        pack_relay(aarch64 ${kind} ${arm64} ${arm64})
      endforeach()
      set(PODWRIGHT_RELAY_AARCH64 ${CMAKE_BINARY_DIR}/podwright-relay-aarch64 PARENT_SCOPE)  # -static and -lean, for their tests
    else()
      message(STATUS "no aarch64-linux-gnu-g++ with a libcrypto.a: nodes of that architecture are served over SSH")
    endif()
  endif()

  set(source ${CMAKE_BINARY_DIR}/embedded_relays.cpp)
  set(text "#include \"engine/relays.hpp\"\n\nnamespace podwright {\n\n")
  set(cases "")
  foreach(name ${made})
    string(APPEND text "asm(\".section .rodata\\nrelay_${name}:\\n.incbin \\\"${CMAKE_BINARY_DIR}/relay-${name}.gz\\\"\\n"
                       "relay_${name}_end:\\n.byte 0\\n.previous\\n\");\n"
                       "extern \"C\" const char relay_${name}[];\nextern \"C\" const char relay_${name}_end[];\n\n")
    string(REGEX MATCH "^(.*)_(static|lean)$" ignored ${name})
    string(APPEND cases "  if (machine == \"${CMAKE_MATCH_1}\" && kind == RelayKind::${CMAKE_MATCH_2}_program) {\n"
                        "    return {relay_${name}, static_cast<std::size_t>(relay_${name}_end - relay_${name})};\n  }\n")
  endforeach()
  string(APPEND text "std::string_view relay_program(std::string_view machine, RelayKind kind) {\n${cases}  return {};\n}\n\n}  // namespace podwright\n")
  file(CONFIGURE OUTPUT ${source} CONTENT "${text}" @ONLY)
  add_library(embedded_relays STATIC ${source})
  list(TRANSFORM made REPLACE "(.+)" "${CMAKE_BINARY_DIR}/relay-\\1.gz" OUTPUT_VARIABLE packed)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${packed}")
  target_include_directories(embedded_relays PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(room_${room} PUBLIC embedded_relays)
endfunction()

set(RELAY_FLAGS -Os -flto=auto -fvisibility=hidden -g0 -DNDEBUG -ffunction-sections -fdata-sections -fstack-protector-strong)
set(RELAY_LINK_FLAGS_lean -s -Os -flto=auto -Wl,--gc-sections)
set(RELAY_LINK_FLAGS_static -static ${RELAY_LINK_FLAGS_lean})

# Appends to `made` of the caller.
macro(pack_relay machine kind program depends)
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/relay-${machine}_${kind}.gz
    COMMAND ${GZIP} -9nc ${program} > ${CMAKE_BINARY_DIR}/relay-${machine}_${kind}.gz
    DEPENDS ${depends} VERBATIM COMMENT "Packing the ${kind} relay for ${machine}")
  list(APPEND made ${machine}_${kind})
endmacro()
