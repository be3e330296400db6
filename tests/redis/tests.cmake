vf_test(test_redis_server unit redis/test_redis_server.c LIBS vf_redis PkgConfig::HIREDIS)
foreach(part layout store side index faults)
  vf_test(test_redis_${part} system redis/test_redis_${part}.c redis/redis_scene.c redis/redis_draft.c redis/redis_fixture.c
          LIBS vf_redis PkgConfig::HIREDIS)
endforeach()
vf_test(test_redis_contract system redis/test_redis_contract.c redis/redis_fixture.c redis/lossy_proxy.c
        LIBS vf_store_contract vf_redis PkgConfig::HIREDIS)
