foreach(part projection event moving upcast values language hostile memory state lint)
  vf_test(test_lua_${part} unit lua/test_${part}.c lua/lua_test.c LIBS vf_lua)
endforeach()
vf_test(test_lua_heap unit lua/test_heap.c LIBS vf_lua)
# Also by hand, for long: build/tests/test_lua_fuzz 1000000 5000
vf_test(test_lua_fuzz unit lua/test_fuzz.c lua/lua_test.c LIBS vf_lua)
# Compares with the language's own matcher. Also by hand, for long: build/tests/test_lua_patterns 1000000 5000
vf_test(test_lua_patterns unit lua/test_patterns.c lua/lua_test.c LIBS vf_lua)
target_link_libraries(test_lua_patterns PRIVATE PkgConfig::LUA)
set_tests_properties(test_lua_hostile test_lua_fuzz test_lua_patterns PROPERTIES COST 10)
