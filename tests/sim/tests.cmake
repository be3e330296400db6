# The property test. ctest runs its thousand seeds; by hand: test_property SEEDS FIRST.
vf_test(test_property unit sim/test_property.c sim/plain_projector.c sim/sim_model.c sim/sim_producer.c
        sim/sim_joins.c sim/sim_view.c sim/sim_show.c sim/sim_compare.c sim/sim_operator.c sim/sim_clock.c
        LIBS vf_run vf_memory vf_core)

# The same with the real projector; fewer seeds, as Lua takes its time.
vf_test(test_property_lua unit sim/test_property.c sim/plain_projector.c sim/sim_model.c sim/sim_producer.c
        sim/sim_joins.c sim/sim_view.c sim/sim_show.c sim/sim_compare.c sim/sim_operator.c sim/sim_clock.c
        LIBS vf_run vf_memory vf_core vf_lua)
if(TARGET test_property_lua)
  target_compile_definitions(test_property_lua PRIVATE SIM_LUA SEEDS=300)
endif()
if(VIEWFOLD_SANITIZE AND TARGET test_property) # sanitizers find what one seed in ten meets too
  target_compile_definitions(test_property PRIVATE SEEDS=150)
endif()

# Situations that chance meets too rarely.
vf_test(test_scenarios unit sim/test_scenarios.c sim/stage.c sim/sim_operator.c sim/plain_projector.c sim/sim_clock.c
        LIBS vf_run vf_memory vf_core)
