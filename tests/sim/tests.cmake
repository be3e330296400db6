# What these programs share.
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/sim/*.c)
list(FILTER sim_sources EXCLUDE REGEX "/(test_[a-z_]+|stage)[.]c$")
add_library(vf_sim STATIC ${sim_sources})
target_include_directories(vf_sim PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${ROOMS}/connectors)
target_link_libraries(vf_sim PUBLIC vf_run vf_memory vf_core PRIVATE PkgConfig::CMOCKA)

# The property test. ctest runs its hundreds of seeds; by hand: test_property SEEDS FIRST.
vf_test(test_property unit sim/test_property.c LIBS vf_sim vf_run vf_memory vf_core)

# The same with the real projector; fewer seeds, as Lua takes its time.
vf_test(test_property_lua unit sim/test_property.c LIBS vf_sim vf_run vf_memory vf_core vf_lua)
target_compile_definitions(test_property_lua PRIVATE SIM_LUA)
set_tests_properties(test_property test_property_lua PROPERTIES COST 20)
if(VIEWFOLD_SANITIZE) # sanitizers find what a few seeds in the thousand meet too
  target_compile_definitions(test_property PRIVATE SEEDS=150)
  target_compile_definitions(test_property_lua PRIVATE SEEDS=100)
else()
  target_compile_definitions(test_property_lua PRIVATE SEEDS=300)
endif()

# Situations that chance meets too rarely.
vf_test(test_scenarios unit sim/test_scenarios.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for links, moves, deletes and what waits.
vf_test(test_joins unit sim/test_joins.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)
vf_test(test_written unit sim/test_written.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for what fails, what is missing, and what operators decide about it.
vf_test(test_parking unit sim/test_parking.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for gaps in numbers that several events share.
vf_test(test_revisions unit sim/test_revisions.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for what the sweep lets go of, and keeps.
vf_test(test_sweep unit sim/test_sweep.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for partitions that have no room for what is to be set aside.
vf_test(test_room unit sim/test_room.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for what operators do to the log.
vf_test(test_log unit sim/test_log.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for stores that have lost something, or would.
vf_test(test_rewinds unit sim/test_rewinds.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)

# The same for what a store never takes.
vf_test(test_refused unit sim/test_refused.c sim/stage.c LIBS vf_sim vf_run vf_memory vf_core)
