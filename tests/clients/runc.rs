//! umoci unpacks the layout, and runc runs what it unpacked. Of zstd umoci knows nothing.

use coracle_testing::bundle::{bundle, unpack};
use coracle_testing::process::start;
use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;
use serde_json::json;

use crate::greeter::{Greeter, promptly};
use crate::test_images::Subjects;

#[test]
fn runc_runs_what_umoci_unpacks() {
    if !requirement::programs_installed("runc", &[Program("umoci", "umoci"), Program("runc", "runc")]) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    for subject in &subjects.programs {
        // An archive is a layout in a tar.
        let unpacked = sandbox.shared().join(format!("{}-archive", subject.short_name()));
        std::fs::create_dir(&unpacked).unwrap();
        let (archive, unpacked) =
            (subject.oci_archive().display().to_string(), unpacked.display().to_string());
        sandbox.run(["tar", "-xf", &archive, "-C", &unpacked]);
        for image in [subject.in_layout(), format!("{unpacked}:{}", subject.tag())] {
            if subject.is_zstd() {
                refuses_zstd(&sandbox, &image);
                continue;
            }
            let name = format!("{}-{}", sandbox.cgroup, subject.short_name());
            let bundle = bundle(&sandbox, &image, &[]);
            let said = sandbox.run(["runc", "run", "--bundle", bundle.to_str().unwrap(), &name]);
            assert_eq!(said, subject.says, "{image}");
            std::fs::remove_dir_all(bundle).unwrap();
        }
    }

    let greeter = Greeter::new(sandbox.shared());
    let mount = json!({
        "type": "bind", "source": greeter.directory, "destination": "/etc/greeter", "options": ["rbind", "ro"],
    });
    let bundle = bundle(&sandbox, &subjects.greeter.in_layout(), &[mount]);
    let server =
        start(&mut sandbox.command(["runc", "run", "--bundle", bundle.to_str().unwrap(), &sandbox.cgroup]));
    assert_eq!(greeter.talk(), subjects.greeter.says);
    promptly(|| {
        sandbox.run(["runc", "kill", &sandbox.cgroup, "TERM"]);
        server.finish().success();
    });
}

/// It says so, and names the media type; a version that takes zstd is to be told in docs/compression.md.
fn refuses_zstd(sandbox: &Sandbox, image: &str) {
    let refused = start(&mut unpack(sandbox, image)).finish();
    assert!(!refused.status.success(), "umoci unpacked {image}");
    let why = "blob is not correct mediatype: application/vnd.oci.image.layer.v1.tar+zstd";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    std::fs::remove_dir_all(sandbox.shared().join("bundle")).unwrap();
}
