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
set_source_files_properties(${reference_sources} PROPERTIES COMPILE_OPTIONS "-O3")
set_source_files_properties(lib/src/ops/references.cpp PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR} OBJECT_DEPENDS ${reference_table})
