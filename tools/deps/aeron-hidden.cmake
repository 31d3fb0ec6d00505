# Injected into Aeron's own build: compiles its static archives with hidden symbols, so that what links them exports
# nothing of Aeron's. Its shared libraries need their symbols and stay as they are.
function(tensorpool_hide_static_archives)
  foreach(archive aeron_static aeron_driver_static)
    set_target_properties(${archive} PROPERTIES C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)
  endforeach()
endfunction()

cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL tensorpool_hide_static_archives)
