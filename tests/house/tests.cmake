add_test(NAME test_house COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/house/test_house.py)
set_tests_properties(test_house PROPERTIES LABELS unit TIMEOUT 60)
