# kernels/include/tensorpath_kernel.h is compiled in: an installed tool writes it beside task.h.
file(READ ${PROJECT_SOURCE_DIR}/kernels/include/tensorpath_kernel.h kernel_header_text)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/kernels/include/tensorpath_kernel.h)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/kernel_header.inc @ONLY
  CONTENT "R\"KERNEL(@kernel_header_text@)KERNEL\"\n")
set_source_files_properties(lib/src/harness/host_header.cpp PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR} OBJECT_DEPENDS ${PROJECT_BINARY_DIR}/kernel_header.inc)
