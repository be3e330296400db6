vf_test(test_cache unit run/test_cache.c LIBS vf_run vf_core)
vf_test(test_run_adoption unit run/test_adoption.c LIBS vf_run vf_core)

vf_test(test_keeping unit run/test_keeping.c LIBS vf_run vf_core)
vf_test(test_drops unit run/test_drops.c LIBS vf_run vf_core)
