# The fuzz targets (fuzz.py has what each is measured by). Built by clang with VIEWFOLD_SANITIZE=fuzz they are fuzzers; in every
# build, programs that run the kept seeds, as unit tests.
add_custom_target(fuzzers)

function(vf_fuzz name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(fuzz_${name} fuzz/fuzz_${name}.c ${arg_SOURCES})
  target_include_directories(fuzz_${name} PRIVATE ${ROOMS}/lua ${ROOMS}/connectors ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(fuzz_${name} PRIVATE ${arg_LIBS})
  target_compile_definitions(fuzz_${name} PRIVATE VIEWFOLD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_dependencies(fuzzers fuzz_${name})
  if(VIEWFOLD_SANITIZE STREQUAL "fuzz")
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE fuzz/replay.c)
    add_test(NAME fuzz_seeds_${name} COMMAND fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${name})
    set_tests_properties(fuzz_seeds_${name} PROPERTIES LABELS unit TIMEOUT 600 PROCESSORS 2)
    add_dependencies(unit_tests fuzz_${name})
  endif()
endfunction()

vf_fuzz(config LIBS vf_cli)
vf_fuzz(pattern LIBS vf_lua PkgConfig::LUA)
vf_fuzz(testfile LIBS vf_cli)
vf_fuzz(token LIBS vf_core)
vf_fuzz(values SOURCES fuzz/fuzz_redis.c LIBS vf_lua vf_redis vf_mongodb PkgConfig::HIREDIS PkgConfig::MONGOC)
vf_fuzz(envelope LIBS vf_core)

# Without a server: fuzz_redis.c stands in for the connection.
foreach(name values)
  foreach(function open free broken send receive)
    target_link_options(fuzz_${name} PRIVATE -Wl,--wrap=vf_redis_connection_${function})
  endforeach()
endforeach()
