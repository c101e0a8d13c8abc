# Warnings, sanitizers and what every object of this tree is compiled with.

if(TENSORPATH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CCACHE_PROGRAM ccache)
  if(CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  endif()
endif()

add_library(tensorpath_warnings INTERFACE)
target_compile_options(tensorpath_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in `"text" + string` where there are none (GCC bug 105651), and
  # uninitialised strings in aggregates that are initialised in braces (GCC bug 105562).
  target_compile_options(tensorpath_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()

# No fused multiply-add behind our back: the same input gives the same bytes on every machine.
add_compile_options(-ffp-contract=off)

# Tests run against Debug: fast enough to use, with the standard library's own checks on.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -D_GLIBCXX_ASSERTIONS")

if(TENSORPATH_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "TENSORPATH_FUZZ needs clang: -DCMAKE_CXX_COMPILER=clang++")
  endif()
  set(TENSORPATH_SANITIZE ON)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(TENSORPATH_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(TENSORPATH_PORTABLE)
  set(BUILD_SHARED_LIBS OFF)
  add_link_options(-static-libstdc++ -static-libgcc)
endif()
