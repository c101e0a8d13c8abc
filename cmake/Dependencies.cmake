# Everything comes from the distribution's packages (scripts/setup); nothing is downloaded here.
# Debian 12 and Ubuntu 24.04 name some targets differently: tensorpath_fmt and tensorpath_yaml_cpp
# hold the name that is right here.

find_package(nlohmann_json 3.11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(fmt 9 REQUIRED)
find_package(yaml-cpp REQUIRED)

if(TENSORPATH_PORTABLE)
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(tensorpath_fmt fmt::fmt-header-only)
  find_library(YAML_CPP_ARCHIVE libyaml-cpp.a REQUIRED)
  set(tensorpath_yaml_cpp $<BUILD_INTERFACE:${YAML_CPP_ARCHIVE}>)
else()
  set(tensorpath_fmt fmt::fmt)
  if(TARGET yaml-cpp::yaml-cpp)
    set(tensorpath_yaml_cpp yaml-cpp::yaml-cpp)
  else()
    set(tensorpath_yaml_cpp yaml-cpp)
  endif()
endif()
find_package(OpenSSL 3 REQUIRED COMPONENTS Crypto)

if(TENSORPATH_TESTS)
  find_package(Catch2 3 QUIET)
  if(NOT Catch2_FOUND)
    find_package(Catch2 2.13 REQUIRED)
  endif()
endif()
