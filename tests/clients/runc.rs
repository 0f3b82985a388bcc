//! umoci unpacks the layout, and runc runs what it unpacked. Of zstd umoci knows nothing.

use serde_json::json;

use crate::bundle::{bundle, unpack};
use crate::greeter::{Greeter, promptly};
use crate::place::Place;
use crate::process::start;
use crate::requirement::{self, Program};
use crate::subject::Subjects;

#[test]
fn runc_runs_what_umoci_unpacks() {
    if !requirement::met("runc", &[Program("umoci", "umoci"), Program("runc", "runc")]) {
        return;
    }
    let subjects = Subjects::shared();
    let place = Place::new();
    for subject in &subjects.programs {
        // An archive is a layout in a tar.
        let unpacked = place.shared().join(format!("{}-archive", subject.short_name()));
        std::fs::create_dir(&unpacked).unwrap();
        let (archive, unpacked) =
            (subject.oci_archive().display().to_string(), unpacked.display().to_string());
        place.run(["tar", "-xf", &archive, "-C", &unpacked]);
        for image in [subject.in_layout(), format!("{unpacked}:{}", subject.tag())] {
            if subject.is_zstd() {
                refuses_zstd(&place, &image);
                continue;
            }
            let name = format!("{}-{}", place.cgroup, subject.short_name());
            let bundle = bundle(&place, &image, &[]);
            let said = place.run(["runc", "run", "--bundle", bundle.to_str().unwrap(), &name]);
            assert_eq!(said, subject.says, "{image}");
            std::fs::remove_dir_all(bundle).unwrap();
        }
    }

    let greeter = Greeter::new(place.shared());
    let mount = json!({
        "type": "bind", "source": greeter.directory, "destination": "/etc/greeter", "options": ["rbind", "ro"],
    });
    let bundle = bundle(&place, &subjects.greeter.in_layout(), &[mount]);
    let server =
        start(&mut place.command(["runc", "run", "--bundle", bundle.to_str().unwrap(), &place.cgroup]));
    assert_eq!(greeter.talk(), subjects.greeter.says);
    promptly(|| {
        place.run(["runc", "kill", &place.cgroup, "TERM"]);
        server.finish().success();
    });
}

/// It says so, and names the media type; a version that takes zstd is to be told in docs/compression.md.
fn refuses_zstd(place: &Place, image: &str) {
    let refused = start(&mut unpack(place, image)).finish();
    assert!(!refused.status.success(), "umoci unpacked {image}");
    let why = "blob is not correct mediatype: application/vnd.oci.image.layer.v1.tar+zstd";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    std::fs::remove_dir_all(place.shared().join("bundle")).unwrap();
}
