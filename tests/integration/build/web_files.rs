//! Times of included files, by which web servers and browsers tell versions of a file apart.

use std::path::Path;
use std::process::{Child, Command};

use coracle_testing::skipped;
use tempfile::TempDir;

use crate::build::project::{HELLO, Project};

const NGINX: &str = "/usr/sbin/nginx";

/// A site with one page, built with these flags and unpacked.
fn site(project: &Project, page: &str, flags: &[&str]) -> TempDir {
    project.file("site/index.html", page).file("site/sub/style.css", "");
    let name = format!("oci:site-{page}-{}", flags.len());
    let args = [&["nginx", "--include", "site:/srv", "-o", &name], flags].concat();
    project.built(&args, name.trim_start_matches("oci:")).unpack()
}

fn project() -> Project {
    let project = Project::new();
    project.program("nginx", HELLO, &["-static"]);
    project
}

/// The time of a file; the crate `tar` unpacks the time 0 as 1.
fn modified(path: &Path) -> u64 {
    let time = std::fs::metadata(path).unwrap().modified().unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn files_of_includes_have_the_epoch_on_request() {
    let project = project();
    let root = site(&project, "one", &["--include-times", "epoch", "--epoch", "86400"]);
    assert_eq!(modified(&root.path().join("srv/index.html")), 86400);
    assert_eq!(modified(&root.path().join("srv/sub/style.css")), 86400);
    assert_eq!(modified(&root.path().join("app/nginx")), 1);
    let root = site(&project, "one", &["--epoch", "86400"]);
    assert_eq!(modified(&root.path().join("srv/index.html")), 1);
    let include = "[[include]]\nfrom = 'site'\nto = '/srv'\ntimes = 'epoch'\n";
    // A program that is included, too, is in the program's layer.
    let program = "[[include]]\nfrom = 'nginx'\nto = '/app/nginx'\ntimes = 'epoch'\n";
    project.file("coracle.toml", format!("[image]\nprograms = ['nginx']\n{include}{program}"));
    let layout = project.built(&["--epoch", "4000000000", "-o", "oci:recipe"], "recipe");
    let root = layout.unpack();
    assert_eq!(modified(&root.path().join("srv/index.html")), 4_000_000_000);
    assert_eq!(modified(&root.path().join("app/nginx")), 1);
}

#[test]
fn a_web_server_with_pages_without_times_gets_a_hint() {
    let project = project();
    project.file("site/index.html", "").file("data/x", "").program("other", HELLO, &["-static"]);
    let said = |args: &[&str]| {
        let run = project.coracle(["build", "--dry-run"]).command().args(args).output().unwrap();
        String::from_utf8(run.stderr).unwrap()
    };
    let hint = "hint: browsers may keep an old `/srv/index.html`: nginx tells versions";
    let zero = "warning: the times of included files are to be the epoch, which is 0\n";
    let site = ["nginx", "--include", "site:/srv"];
    assert!(said(&site).contains(hint), "{}", said(&site));
    assert!(!said(&["nginx", "--include", "data:/srv"]).contains("browsers"));
    assert!(!said(&["other", "--include", "site:/srv"]).contains("browsers"));
    let timed = [&site[..], &["--include-times", "epoch", "--epoch", "1"]].concat();
    assert!(!said(&timed).contains("browsers") && !said(&timed).contains("warning"), "{}", said(&timed));
    let no_epoch = [&site[..], &["--include-times", "epoch"]].concat();
    assert!(said(&no_epoch).contains(zero), "{}", said(&no_epoch));
}

/// nginx, which serves the directory `current` at a socket, and is ended with this value.
struct Nginx {
    folder: TempDir,
    server: Child,
}

impl Nginx {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().display();
        let user = match Command::new("id").arg("-u").output().unwrap().stdout.as_slice() {
            b"0\n" => "user root;\n",
            _ => "",
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {root}/{kind};\n"))
            .collect();
        let server = format!("server {{ listen unix:{root}/socket; root {root}/current; }}");
        let text = format!(
            "{user}daemon off;\nmaster_process off;\npid {root}/pid;\nerror_log {root}/errors;\nevents {{}}\n\
             http {{ access_log off;\n{temporary}{server} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new(NGINX);
        command.arg("-e").arg(folder.path().join("errors")).arg("-c").arg(folder.path().join("nginx.conf"));
        let server = command.spawn().unwrap();
        let mut nginx = Self { folder, server };
        while !nginx.folder.path().join("socket").exists() {
            assert!(nginx.server.try_wait().unwrap().is_none(), "nginx ended");
            std::thread::yield_now();
        }
        nginx
    }

    /// Serves this directory from now on.
    fn serve(&self, root: &Path) {
        let link = self.folder.path().join("current");
        let new = self.folder.path().join("new");
        std::os::unix::fs::symlink(root.join("srv"), &new).unwrap();
        std::fs::rename(new, link).unwrap();
    }

    /// The status and the `ETag` of the page, for a browser that has the version `known`.
    fn get(&self, known: Option<&str>) -> (String, String) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--output", "/dev/null", "--unix-socket"]);
        curl.arg(self.folder.path().join("socket")).args(["--write-out", "%{http_code} %header{etag}"]);
        if let Some(known) = known {
            curl.args(["--header", &format!("If-None-Match: {known}")]);
        }
        let output = curl.arg("http://localhost/index.html").output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let (status, tag) = printed.split_once(' ').unwrap();
        (status.to_owned(), tag.to_owned())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[test]
fn nginx_sends_a_changed_page_of_the_same_size() {
    if !Path::new(NGINX).exists() || !Path::new("/usr/bin/curl").exists() {
        return skipped("there is no nginx or curl (on Debian: nginx-core, curl)");
    }
    let (project, nginx) = (project(), Nginx::start());
    let status_after_release = |flags: [&[&str]; 2]| {
        let (old, new) = (site(&project, "old", flags[0]), site(&project, "new", flags[1]));
        nginx.serve(old.path());
        let (status, tag) = nginx.get(None);
        assert_eq!(status, "200");
        assert_eq!(nginx.get(Some(&tag)).0, "304");
        nginx.serve(new.path());
        nginx.get(Some(&tag)).0
    };
    let times = |epoch: &'static str| ["--include-times", "epoch", "--epoch", epoch];
    assert_eq!(status_after_release([&times("1000"), &times("2000")]), "200");
    // This is what the hint is about.
    assert_eq!(status_after_release([&[], &[]]), "304");
}
