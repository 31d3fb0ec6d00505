# C++ code of the SBE tool, generated into the build tree from schemas/*.xml.

set(TENSORPOOL_SBE_JAR "${TENSORPOOL_DEPS_DIR}/sbe/sbe-all-1.38.1.jar" CACHE FILEPATH "Jar of the SBE tool")

# tensorpool_sbe(<target> <schema.xml>...): an interface library with the generated headers as system headers.
function(tensorpool_sbe target)
  find_program(TENSORPOOL_JAVA java REQUIRED)
  if(NOT EXISTS "${TENSORPOOL_SBE_JAR}")
    message(FATAL_ERROR "SBE tool not found at ${TENSORPOOL_SBE_JAR}: run `make build`, which fetches it, or set TENSORPOOL_SBE_JAR")
  endif()
  set(out "${CMAKE_BINARY_DIR}/generated/sbe")
  set(stamps)
  foreach(schema IN LISTS ARGN)
    get_filename_component(name "${schema}" NAME_WE)
    set(stamp "${out}/${name}.stamp")
    add_custom_command(OUTPUT "${stamp}"
      COMMAND "${TENSORPOOL_JAVA}" -Dsbe.target.language=Cpp -Dsbe.cpp.namespaces.collapse=true
              -Dsbe.xinclude.aware=true -Dsbe.validation.stop.on.error=true
              -Dsbe.validation.warnings.fatal=true "-Dsbe.output.dir=${out}" -jar "${TENSORPOOL_SBE_JAR}" "${schema}"
      COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
      DEPENDS "${schema}" "${PROJECT_SOURCE_DIR}/schemas/common-types.xml" "${TENSORPOOL_SBE_JAR}"
      COMMENT "SBE: ${name}" VERBATIM)
    list(APPEND stamps "${stamp}")
  endforeach()
  add_custom_target(${target}_generate DEPENDS ${stamps})
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_generate)
  target_include_directories(${target} SYSTEM INTERFACE "${out}")
endfunction()
