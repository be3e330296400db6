# The system tests: Python over real servers and the program as it is used. ./dev test starts the servers and puts the
# pinned Python first on PATH; by hand: eval "$(tests/servers/servers.sh env)" and "$VIEWFOLD_PYTHON" tests/system/test_kills.py
foreach(test bounds kills changing rebalances lost_replies emptied committed_offsets bad_input broker_answers envelopes limits starting signals reading lint log numbers parked refused tokens views)
  add_test(NAME system_${test} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/system/test_${test}.py)
  set_tests_properties(system_${test} PROPERTIES LABELS system TIMEOUT 420 PROCESSORS 2 COST 10
    ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
endforeach()
# One a server: each is of the longest.
foreach(test redis_that_loses_everything_gets_its_view_again_from_the_log mongodb_that_is_killed_comes_back_with_its_data
        kafka_that_is_killed_comes_back_with_its_data)
  string(REGEX MATCH "^[a-z]+" server ${test})
  add_test(NAME system_restarts_${server} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/system/test_restarts.py ${test})
  set_tests_properties(system_restarts_${server} PROPERTIES LABELS system TIMEOUT 420 PROCESSORS 2 COST 30
    ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
endforeach()
set_tests_properties(system_restarts_kafka PROPERTIES COST 50)
set_tests_properties(system_rebalances system_bounds PROPERTIES COST 40)
set_tests_properties(system_emptied PROPERTIES COST 45)
set_tests_properties(system_bad_input PROPERTIES COST 37)
set_tests_properties(system_kills system_changing system_signals system_views PROPERTIES COST 20)
set_tests_properties(system_starting system_lost_replies PROPERTIES COST 25 PROCESSORS 1)
# The bench in small: it says that the bench works and that its views are right, and nothing about speed.
add_test(NAME system_bench COMMAND python3 ${CMAKE_SOURCE_DIR}/bench/bench.py --smoke)
set_tests_properties(system_bench PROPERTIES LABELS system TIMEOUT 420 PROCESSORS 2 COST 10
  ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
