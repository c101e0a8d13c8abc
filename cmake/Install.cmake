# Two components: `runtime` (command, library, data, manual pages, completions) and `dev`. A build
# without the shared library has the first only: its archive needs more than a package could name.

install(TARGETS tensorpath RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(TARGETS tensorpath-worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tensorpath COMPONENT runtime)
install(DIRECTORY scripts/torch-worker DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tensorpath COMPONENT runtime
  FILES_MATCHING PATTERN "*.py" PATTERN __pycache__ EXCLUDE)
install(DIRECTORY kernels/ops kernels/baselines kernels/ceilings kernels/verified kernels/export DESTINATION ${CMAKE_INSTALL_DATADIR}/tensorpath/kernels COMPONENT runtime)
install(DIRECTORY data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tensorpath COMPONENT runtime)
foreach(section 1 5 7)
  file(GLOB pages CONFIGURE_DEPENDS man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT runtime)
endforeach()
install(FILES completions/tensorpath.bash RENAME tensorpath
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime)
install(FILES completions/_tensorpath
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT runtime)
install(FILES completions/tensorpath.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT runtime)
install(FILES NOTICE cmake/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

if(NOT BUILD_SHARED_LIBS)
  return()
endif()

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tensorpath)

install(TARGETS libtensorpath EXPORT tensorpathTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)

install(DIRECTORY lib/include/ ${PROJECT_BINARY_DIR}/include/
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h")
install(EXPORT tensorpathTargets NAMESPACE tensorpath:: DESTINATION ${package_dir} COMPONENT dev)
configure_package_config_file(cmake/tensorpathConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/tensorpathConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/tensorpathConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
# Relative to itself, so that the tree can be moved.
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/tensorpath.pc.in cmake/tensorpath.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/tensorpathConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/tensorpathConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/cmake/tensorpath.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
