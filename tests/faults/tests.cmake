# The fault suite's own judgement, and those of its faults (README.md) that run in every CI, short. All of them, long: ./dev faults
add_test(NAME faults_judge COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/faults/test_frame.py)
set_tests_properties(faults_judge PROPERTIES LABELS system TIMEOUT 60 PROCESSORS 1 ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
foreach(fault F1 F2 F4 F9 F11 F16 F18 F21)
  add_test(NAME faults_${fault} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/faults/run.py ${fault} --short --jobs 2)
  set_tests_properties(faults_${fault} PROPERTIES LABELS system TIMEOUT 420 PROCESSORS 2 COST 30
    ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
endforeach()
