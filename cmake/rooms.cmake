# add_room(NAME USES other rooms and libraries… [OBJECT])
#
# One target a room, made of every source below src/NAME. The link line is the architecture diagram:
# a room can include only what it links, and scripts/check-layers proves that it includes nothing else.
function(add_room name)
  cmake_parse_arguments(ROOM "OBJECT" "" "USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  set(uses "")
  foreach(used ${ROOM_USES})
    if(TARGET room_${used})
      list(APPEND uses room_${used})
    else()
      list(APPEND uses ${used})
    endif()
  endforeach()

  if(NOT sources)
    add_library(room_${name} INTERFACE)
    target_include_directories(room_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(room_${name} INTERFACE ${uses})
    return()
  endif()

  if(ROOM_OBJECT)
    add_library(room_${name}_code OBJECT ${sources})
    add_library(room_${name} INTERFACE)
    target_link_libraries(room_${name} INTERFACE ${uses})
    target_include_directories(room_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    # Link this one into an executable to get the entries themselves.
    add_library(room_${name}_objects INTERFACE)
    target_link_libraries(room_${name}_objects INTERFACE room_${name}
                          $<TARGET_OBJECTS:room_${name}_code>)
    set(code room_${name}_code)
  else()
    add_library(room_${name} STATIC ${sources})
    set(code room_${name})
  endif()
  target_include_directories(${code} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${code} PUBLIC ${uses})
  house_rules(${code})
endfunction()

# Warnings, sanitizers: the same for every target of ours.
function(house_rules target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                         -Wcast-align -Woverloaded-virtual -Wconversion -Wno-sign-conversion
                         -Wimplicit-fallthrough -fstack-protector-strong)
  # GCC 12 sees overlaps in std::string that are not there once it inlines (GCC bug 105651).
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(PODWRIGHT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(PODWRIGHT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PODWRIGHT_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${PODWRIGHT_SANITIZE})
    if(PODWRIGHT_SANITIZE MATCHES thread)
      # It does not understand fences, and GCC warns of each; Asio has some that nothing of ours relies on.
      target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
  endif()
endfunction()

# embed_assets(ROOM ROOT FOLDER…): the files below ROOT/FOLDER, compiled into ROOM, so that the binary
# alone also works. See src/base/assets.hpp.
function(embed_assets room root)
  set(files "")
  foreach(folder ${ARGN})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS RELATIVE ${root} ${root}/${folder}/*)
    list(APPEND files ${found})
  endforeach()
  list(SORT files)
  list(TRANSFORM files PREPEND ${root}/ OUTPUT_VARIABLE paths)
  set(source ${CMAKE_BINARY_DIR}/embedded_assets.cpp)
  file(WRITE ${CMAKE_BINARY_DIR}/embedded_assets.list "${files}")
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DROOT=${root} -DLIST=${CMAKE_BINARY_DIR}/embedded_assets.list
            -DOUT=${source} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake ${CMAKE_BINARY_DIR}/embedded_assets.list
    VERBATIM)
  add_library(embedded_assets STATIC ${source})
  target_include_directories(embedded_assets PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(room_${room} PUBLIC embedded_assets)
endfunction()
