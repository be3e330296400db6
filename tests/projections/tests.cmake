# The samples' own tests, run as their users run them; and the verb that runs them, over fixtures.
add_test(NAME projections_tests COMMAND viewfold test ${CMAKE_SOURCE_DIR}/projections)
set_tests_properties(projections_tests PROPERTIES LABELS unit TIMEOUT 120)
add_test(NAME projections_samples COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/projections/test_samples.py)
set_tests_properties(projections_samples PROPERTIES LABELS unit TIMEOUT 300
  ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
add_test(NAME projections_verb COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/projections/test_verb.py)
set_tests_properties(projections_verb PROPERTIES LABELS unit TIMEOUT 300 PROCESSORS 2 COST 5
  ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
