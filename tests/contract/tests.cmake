# The store contract's suite, a library for every connector's own program. (tests/contract/ comes before the connectors'
# folders in the alphabet, so they can name it.)
file(GLOB contract_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/contract/contract_*.c)
add_library(vf_store_contract STATIC ${CMAKE_CURRENT_SOURCE_DIR}/store_contract.c ${contract_sources})
target_include_directories(vf_store_contract PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(vf_store_contract PUBLIC vf_seams PRIVATE PkgConfig::CMOCKA Threads::Threads)

vf_test(test_memory_contract unit contract/test_memory_contract.c LIBS vf_store_contract vf_memory)
vf_test(test_memory_views unit contract/test_memory_views.c LIBS vf_store_contract vf_memory)
vf_test(test_sim_clock unit contract/test_sim_clock.c sim/sim_clock.c LIBS vf_seams)
vf_test(test_memory_source unit contract/test_memory_source.c LIBS vf_memory)
