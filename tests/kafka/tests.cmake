vf_test(test_kafka_properties unit ${CMAKE_SOURCE_DIR}/tests/kafka/test_kafka_properties.c LIBS vf_kafka)
vf_test(test_kafka_faults unit ${CMAKE_SOURCE_DIR}/tests/kafka/test_kafka_faults.c LIBS vf_kafka PkgConfig::RDKAFKA)
foreach(part source group admin)
  vf_test(test_kafka_${part} system ${CMAKE_SOURCE_DIR}/tests/kafka/test_kafka_${part}.c
          ${CMAKE_SOURCE_DIR}/tests/kafka/kafka_fixture.c LIBS vf_kafka PkgConfig::RDKAFKA)
endforeach()
