//! Finds and reads a program's dynamic loader.

use std::rc::Rc;

use super::{Error, Found, Mapped, Surroundings, Tracer};
use crate::elf;
use crate::ldso::{Hwcaps, Loader, usual_interpreters};
use coracle_core::path::Spelled;
use coracle_core::file_system::{self, End, Tree};

/// Returns the loader as an object of the link map, and as a parsed loader.
///
/// The path is `PT_INTERP`, unchanged; for a library without one, the usual loader of its machine.
/// `None` for a static program.
pub(super) fn read(
    tracer: &Tracer<'_>,
    hwcaps: &Hwcaps,
    program: &Mapped,
) -> Result<Option<(Mapped, Rc<Loader>)>, Error> {
    let (tree, options) = (tracer.tree, tracer.around);
    let object = &program.object;
    let spelled = match &object.interpreter {
        Some(interpreter) => interpreter.clone(),
        None if object.dynamic.dependencies.is_empty() => return Ok(None),
        None => usual_interpreter(tree, options, program)?,
    };
    let (wanted, program) = (object.header.machine, program.spelled.clone());
    let walk = file_system::walk(tree, &options.working_dir, spelled.as_bytes())?;
    let End::File(path, file) = walk.end.clone() else {
        let why = match wanted.platform() {
            Some(platform) => format!("there is no such file; the program is for {platform}"),
            None => "there is no such file".into(),
        };
        return Err(Error::Interpreter { program, interpreter: spelled, why, wanted });
    };
    let unreadable =
        |source| Error::Loader { program: program.clone(), interpreter: spelled.clone(), source };
    let reader = file.content.open()?;
    let object = Rc::new(elf::Object::read(&reader).map_err(|e| unreadable(e.into()))?);
    let found = object.header.machine;
    if !found.is_kin_of(wanted) {
        return Err(Error::InterpreterMachine { program, interpreter: spelled, found, wanted });
    }
    let loader = tracer.loader(&spelled, &file, &object, hwcaps).map_err(unreadable)?;
    Ok(Some((Mapped { spelled, walk, path, file, object, found: Found::Interpreter }, loader)))
}

fn usual_interpreter(tree: &dyn Tree, options: &Surroundings, library: &Mapped) -> Result<Spelled, Error> {
    let usual = usual_interpreters(&library.object);
    for path in &usual {
        if matches!(file_system::walk(tree, &options.working_dir, path.as_bytes())?.end, End::File(..)) {
            return Ok(path.clone());
        }
    }
    let wanted = library.object.header.machine;
    let why = format!("there is no loader for {wanted}");
    let interpreter = usual.into_iter().next().unwrap_or_default();
    Err(Error::Interpreter { program: library.spelled.clone(), interpreter, why, wanted })
}
