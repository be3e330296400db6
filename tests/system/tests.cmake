# The system tests: Python over real servers and the program as it is used. ./dev test starts the servers and puts the
# pinned Python first on PATH; by hand: eval "$(tests/servers/servers.sh env)" and "$VIEWFOLD_PYTHON" tests/system/test_kills.py
foreach(test kills changing rebalances restarts lost_replies emptied committed_offsets bad_input broker_answers envelopes limits starting signals reading lint numbers tokens)
  add_test(NAME system_${test} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/system/test_${test}.py)
  set_tests_properties(system_${test} PROPERTIES LABELS system TIMEOUT 420 RUN_SERIAL TRUE
    ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
endforeach()
# The bench in small: it says that the bench works and that its views are right, and nothing about speed.
add_test(NAME system_bench COMMAND python3 ${CMAKE_SOURCE_DIR}/bench/bench.py --smoke)
set_tests_properties(system_bench PROPERTIES LABELS system TIMEOUT 420 RUN_SERIAL TRUE
  ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
