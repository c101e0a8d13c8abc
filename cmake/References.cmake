# The operators' references (kernels/reference/<op>.cpp) and a table of them by name. Each is compiled
# with optimisation in every build type: they compute every element of every case.

file(GLOB reference_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/reference/*.cpp)
set(reference_declarations)
set(reference_entries)
foreach(source ${reference_sources})
  get_filename_component(op ${source} NAME_WE)
  # A changed reference is a changed operator: its digest is part of what a verdict stands on.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(SHA256 ${source} digest)
  string(APPEND reference_declarations "extern const Entry tensorpath_reference_${op};\n")
  string(APPEND reference_entries "    {&tensorpath_reference_${op}, \"${digest}\"},\n")
endforeach()
set(reference_table ${PROJECT_BINARY_DIR}/reference_table.inc)
file(CONFIGURE OUTPUT ${reference_table} @ONLY
  CONTENT "extern \"C\" {\n@reference_declarations@}\nconstexpr Shipped kShipped[] = {\n@reference_entries@};\n")
set_source_files_properties(${reference_sources} PROPERTIES COMPILE_OPTIONS "-O2")

# The public headers that references include, and those that these include: carried in the library,
# so that an operator of --ops compiles with the very text the built-in ones were compiled with,
# whether or not headers are installed.
set(reference_headers)
set(unread ${reference_sources})
while(unread)
  list(POP_FRONT unread file)
  file(STRINGS ${file} lines REGEX "^#include <tensorpath/")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^#include <([^>]*)>.*$" "\\1" header "${line}")
    if(NOT header IN_LIST reference_headers)
      list(APPEND reference_headers ${header})
      list(APPEND unread ${PROJECT_SOURCE_DIR}/lib/include/${header})
    endif()
  endforeach()
endwhile()
list(SORT reference_headers)
set(reference_header_entries)
foreach(header ${reference_headers})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/lib/include/${header})
  file(READ ${PROJECT_SOURCE_DIR}/lib/include/${header} text)
  string(APPEND reference_header_entries "{\"${header}\", R\"HEADER(${text})HEADER\"},\n")
endforeach()
set(reference_header_table ${PROJECT_BINARY_DIR}/reference_headers.inc)
file(CONFIGURE OUTPUT ${reference_header_table} @ONLY CONTENT "@reference_header_entries@")

set_source_files_properties(lib/src/ops/references.cpp PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}
  OBJECT_DEPENDS "${reference_table};${reference_header_table}")
