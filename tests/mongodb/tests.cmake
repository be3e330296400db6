# In parts, as it takes long: each commit waits for a disk.
vf_test(test_mongodb_contract system mongodb/test_mongodb_contract.c mongodb/proxy.c mongodb/server.c
  LIBS vf_store_contract vf_mongodb PkgConfig::MONGOC Threads::Threads PARTS 4)
vf_test(test_mongodb_hello unit mongodb/test_mongodb_hello.c LIBS vf_mongodb PkgConfig::MONGOC)
vf_test(test_mongodb_open system mongodb/test_mongodb_open.c mongodb/server.c LIBS vf_mongodb PkgConfig::MONGOC)
vf_test(test_mongodb_store system mongodb/test_mongodb_store.c mongodb/proxy.c mongodb/server.c
  LIBS vf_store_contract vf_mongodb PkgConfig::MONGOC Threads::Threads)
vf_test(test_mongodb_indexes system mongodb/test_mongodb_indexes.c mongodb/looking.c mongodb/server.c
  LIBS vf_store_contract vf_mongodb PkgConfig::MONGOC)
vf_test(test_mongodb_views system mongodb/test_mongodb_views.c mongodb/looking.c mongodb/server.c
  LIBS vf_store_contract vf_mongodb PkgConfig::MONGOC)
# A server has one set of faults to make (failCommand): one at a time, though each names its own clients.
foreach(part open store)
  if(TARGET test_mongodb_${part})
    set_tests_properties(test_mongodb_${part} PROPERTIES RESOURCE_LOCK mongodb_faults COST 20 PROCESSORS 1)
  endif()
endforeach()
