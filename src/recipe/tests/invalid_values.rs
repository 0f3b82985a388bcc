//! Invalid values of the right type.

use super::*;

#[test]
fn rejects_invalid_values() {
    for (line, message) in [
        ("name = \"Shop\"", "`Shop` is not an image name: "),
        ("expose = [0]", "`0` is not a port: it must be a number from 1 to 65535"),
        ("user = \"nobody\"", "the user `nobody` is not numeric"),
        ("user = -1", "`-1` is not a user ID: it must be a number from 0 to 2147483647"),
        ("user = \"1:2\"\ngroup = 2", "the group is given twice, in `user` and in `group`"),
        ("env = { \"A=B\" = \"1\" }", "`A=B` is not a variable name: it contains `=`"),
        ("env = { \"\" = \"1\" }", "a name is empty"),
        ("env = { A = \"\\u0000\" }", "a value contains a NUL byte"),
        ("args = [\"\\u0000\"]", "an argument contains a NUL byte"),
        ("working-dir = \"srv\"", "`srv` is not a path inside an image: it must start with `/`"),
        ("stop-signal = \"TERM\"", "`TERM` is not a signal"),
        ("platform = \"arm64\"", "`arm64` is not a platform"),
        ("[[include]]\nfrom = \"\"\nto = \"/a\"", "the path of a file is empty"),
        ("[[include]]\nfrom = \"a\"\nto = \"/a/../b\"", "`/a/../b` is not a path inside an image: "),
        ("[[include]]\nfrom = \"a\"", "missing field `to`"),
        ("[allow]\nsrv = \"x\"", "`srv` is not a path inside an image: it must start with `/`"),
        ("[allow]\n\"/a\" = \" \"", "no reason is given for allowing `/a`"),
    ] {
        let problems = messages_of(line);
        assert!(problems.len() == 1 && problems[0].starts_with(message), "{line}: {problems:?}");
    }
}

#[test]
fn messages_name_the_flag() {
    let flags = RecipeOverrides {
        programs: vec!["app:/".into(), "".into()],
        names: strings(["UP"]),
        env: strings(["A", "=1"]),
        includes: vec!["a".into(), "a:/../b".into()],
        ..RecipeOverrides::default()
    };
    let Err(RecipeError::Invalid(problems)) = Recipe::from_flags(&flags) else { panic!() };
    let flags: Vec<_> = problems.iter().map(|problem| problem.message.split(':').next().unwrap()).collect();
    assert_eq!(flags, ["`--tag`", "`--env`", "`--env`", "`PROGRAM`", "`--include`", "`--include`"]);
}
