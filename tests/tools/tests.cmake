# Tools that tests, the demo and the bench run.
add_executable(vf-produce ${CMAKE_SOURCE_DIR}/tests/tools/produce.c)
target_link_libraries(vf-produce PRIVATE PkgConfig::RDKAFKA)
set_target_properties(vf-produce PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
