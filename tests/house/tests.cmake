add_test(NAME test_house COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/house/test_house.py)
set_tests_properties(test_house PROPERTIES LABELS unit TIMEOUT 60)
add_test(NAME test_house_docs COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/house/test_docs.py)
set_tests_properties(test_house_docs PROPERTIES LABELS unit TIMEOUT 60)
