# The fault suite's own judgement, and those of its faults (README.md) that run in every CI, short. All of them, long: ./dev faults
add_test(NAME faults_judge COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/faults/test_frame.py)
set_tests_properties(faults_judge PROPERTIES LABELS system TIMEOUT 60 PROCESSORS 1 ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
foreach(fault F1 F2 F4 F9 F11 F16 F17 F18 F21)
  add_test(NAME faults_${fault} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/faults/run.py ${fault} --short --jobs 2)
  set_tests_properties(faults_${fault} PROPERTIES LABELS system TIMEOUT 420 PROCESSORS 6 COST 1
    ENVIRONMENT "VIEWFOLD_PROGRAM=${CMAKE_BINARY_DIR}/viewfold;PYTHONDONTWRITEBYTECODE=1")
endforeach()
# For F19, loaded into viewfold's processes. Beside the tests' programs.
add_library(fault_preload MODULE faults/preload.c)
set_target_properties(fault_preload PROPERTIES PREFIX "" C_EXTENSIONS ON)
target_link_libraries(fault_preload PRIVATE ${CMAKE_DL_LIBS})
