//! The same program for all machines, in one image index.

use coracle_testing::requirement::{self, Program};
use coracle_testing::unpacked::Image;

use crate::architectures::test_project::Project;

/// A machine with its names in Debian's toolchains, OCI and qemu.
struct Machine {
    triple: &'static str,
    platform: &'static str,
    /// The emulator; `None` for this machine.
    qemu: Option<&'static str>,
    gcc: &'static str,
}

impl Machine {
    const fn new(
        triple: &'static str,
        platform: &'static str,
        qemu: &'static str,
        gcc: &'static str,
    ) -> Self {
        Self { triple, platform, qemu: Some(qemu), gcc }
    }

    fn compiler(&self, name: &str) -> String {
        format!("{}-{name}", self.triple)
    }

    /// Returns the flag for the cross toolchain's libraries; `None` for this machine.
    fn sysroot(&self) -> Option<String> {
        self.qemu.map(|_| format!("--sysroot={}=/usr/{}", self.platform, self.triple))
    }
}

const MACHINES: &[Machine] = &[
    Machine { triple: "x86_64-linux-gnu", platform: "linux/amd64", qemu: None, gcc: "gcc libc6-dev" },
    Machine::new("aarch64-linux-gnu", "linux/arm64", "/usr/bin/qemu-aarch64-static", "gcc-aarch64-linux-gnu"),
    Machine::new(
        "arm-linux-gnueabihf",
        "linux/arm/v7",
        "/usr/bin/qemu-arm-static",
        "gcc-arm-linux-gnueabihf",
    ),
    Machine::new("i686-linux-gnu", "linux/386", "/usr/bin/qemu-i386-static", "gcc-i686-linux-gnu"),
    Machine::new(
        "powerpc64le-linux-gnu",
        "linux/ppc64le",
        "/usr/bin/qemu-ppc64le-static",
        "gcc-powerpc64le-linux-gnu",
    ),
    Machine::new(
        "riscv64-linux-gnu",
        "linux/riscv64",
        "/usr/bin/qemu-riscv64-static",
        "gcc-riscv64-linux-gnu",
    ),
    Machine::new("s390x-linux-gnu", "linux/s390x", "/usr/bin/qemu-s390x-static", "gcc-s390x-linux-gnu"),
];

/// The machines with a C++ compiler in CI.
const WITH_CXX: &[&str] = &["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"];

const C: &str = r#"
#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("%s: the cosine of %d is %.9f\n", argv[0], argc, cos(argc));
    return 0;
}
"#;

const CXX: &str = r#"
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

int main()
{
    std::map<std::string, int> numbers{{"two", 2}, {"one", 1}};
    try {
        for (const auto &[name, number] : numbers)
            std::cout << name << ' ' << number << '\n';
        numbers.at("three");
    } catch (const std::out_of_range &) {
        std::cout << "no three" << std::endl;
    }
}
"#;

#[test]
fn a_program_for_every_machine_is_one_index_and_prints_the_same_everywhere() {
    let machines: Vec<&Machine> = MACHINES.iter().collect();
    assert_output_on_all_machines(
        &machines,
        "gcc",
        ("hello.c", C),
        "/app/hello: the cosine of 1 is 0.540302306\n",
    );
}

#[test]
fn cxx_programs_get_the_libraries_of_their_toolchain() {
    let machines: Vec<&Machine> =
        MACHINES.iter().filter(|machine| WITH_CXX.contains(&machine.platform)).collect();
    assert_output_on_all_machines(&machines, "g++", ("hello.cc", CXX), "one 1\ntwo 2\nno three\n");
}

/// Compiles the source for each machine, builds one index, runs each image and compares its output.
fn assert_output_on_all_machines(
    machines: &[&Machine],
    compiler: &str,
    (name, source): (&str, &str),
    expected: &str,
) {
    if !machines.iter().all(|machine| is_installed(machine, compiler)) {
        return;
    }
    let project = Project::new();
    project.file(name, source);
    let mut arguments = vec!["--tag=hello".to_owned()];
    for machine in machines {
        let output = machine.triple;
        project.compile(&machine.compiler(compiler), output, &[name, "-lm"]);
        arguments.push(format!("{output}:/app/hello"));
        arguments.extend(machine.sysroot());
    }
    let images = project.build(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(coracle_oci::layout::verify_layout(&project.path("layout")).unwrap(), []);
    let mut platforms: Vec<String> = images.iter().map(Image::platform).collect();
    platforms.sort();
    let mut wanted: Vec<&str> = machines.iter().map(|machine| machine.platform).collect();
    wanted.sort_unstable();
    assert_eq!(platforms, wanted);
    for machine in machines {
        let image = images.iter().find(|image| image.platform() == machine.platform).unwrap();
        let output = project.run_image(image, &format!("{}-root", machine.triple), machine.qemu);
        assert_eq!(output, expected, "{}", machine.platform);
    }
}

fn is_installed(machine: &Machine, compiler: &str) -> bool {
    let name: &'static str = machine.compiler(compiler).leak();
    let package: &'static str = machine.gcc.replace("gcc", compiler).leak();
    let mut programs = vec![Program(name, package)];
    programs.extend(machine.qemu.map(|qemu| Program(qemu, "qemu-user-static")));
    requirement::programs_installed(machine.platform, &programs)
}
