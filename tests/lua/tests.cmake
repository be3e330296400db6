foreach(part projection event values language hostile memory state)
  vf_test(test_lua_${part} unit lua/test_${part}.c lua/lua_test.c LIBS vf_lua)
endforeach()
# Compares the patterns with the language's own.
target_link_libraries(test_lua_language PRIVATE PkgConfig::LUA)
