vf_test(test_cache unit run/test_cache.c LIBS vf_run vf_core)
