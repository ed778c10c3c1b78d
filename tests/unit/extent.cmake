# The disk's ownership table: against a model, under losses of power, and on damaged bytes.
foreach(name crash)
  aegis_unit_test(extent_${name}_test SOURCES unit/extent/${name}_test.c unit/extent/sim.c LIBRARIES extent)
endforeach()
