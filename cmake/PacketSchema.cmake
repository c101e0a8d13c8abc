# data/schemas/packet.schema.json is compiled in: what is shipped is what packets are checked by.
file(READ ${PROJECT_SOURCE_DIR}/data/schemas/packet.schema.json packet_schema_text)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/data/schemas/packet.schema.json)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/packet_schema.inc @ONLY
  CONTENT "R\"SCHEMA(@packet_schema_text@)SCHEMA\"\n")
set_source_files_properties(lib/src/evidence/packet_schema.cpp PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR} OBJECT_DEPENDS ${PROJECT_BINARY_DIR}/packet_schema.inc)
