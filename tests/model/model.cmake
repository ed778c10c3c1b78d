# Models of what no test can try in every order, verified by spin, each with mutations that must fail (run.py).
find_program(AEGIS_SPIN spin REQUIRED)
foreach(model resume ring wake)
  add_test(NAME model_${model} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/model/run.py
           ${CMAKE_CURRENT_SOURCE_DIR}/model/${model}.pml ${CMAKE_CURRENT_BINARY_DIR}/model/${model})
  set_tests_properties(model_${model} PROPERTIES TIMEOUT 500)
endforeach()
