# Every mark has its entry, every entry its mark, and each text is where it is looked for. ./dev mutants runs them.
add_test(NAME guards_and_mutants COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/mutants/mutants.py --list)
set_tests_properties(guards_and_mutants PROPERTIES LABELS unit ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
