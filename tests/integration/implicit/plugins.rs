//! Services of PAM, and plugins of well-known libraries.

use std::path::Path;

use coracle_testing::skipped;

use crate::build::project::Project;
use crate::implicit::built_image::{Image, refused};

fn is_installed(path: &str, package: &str) -> bool {
    let there = Path::new(path).exists();
    if !there {
        skipped(&format!("there is no {path} (on Debian: {package})"));
    }
    there
}

#[test]
fn adds_configuration_and_modules_of_pam_services() {
    if !is_installed("/etc/pam.d/su", "util-linux") {
        return;
    }
    let project = Project::new();
    let without = Image::of(&project, &["/usr/bin/su"]);
    assert!(without.said.contains("PAM services: ") && !without.has("/etc/pam.d/su"), "{}", without.said);
    let image = Image::of(&project, &["/usr/bin/su", "--pam", "su"]);
    for path in ["/etc/pam.d/su", "/etc/pam.d/common-auth"] {
        assert!(image.has(path), "{path}");
    }
    // Dependencies of the modules are included.
    for name in ["pam_rootok.so", "pam_unix.so", "libcrypt.so.1"] {
        assert!(
            image.has_file(name) || image.layout.entries().iter().flatten().any(|line| line.contains(name)),
            "{name}"
        );
    }
    assert!(!image.said.contains("PAM services"), "{}", image.said);
    let said = refused(&project, &["/usr/bin/su", "--pam", "nobody"]);
    assert!(
        said.starts_with("error: cannot find the PAM service `nobody`: there is no `/etc/pam.d/nobody`"),
        "{said}"
    );
    let said = refused(&Project::hello(&[]), &["hello", "--pam", "su"]);
    assert!(said.starts_with("error: `pam` has no effect: no libpam is mapped"), "{said}");
    // It is enough that one of several programs asks for it.
    let project = Project::hello(&[]);
    let image = Image::of(&project, &["hello", "/usr/bin/su", "--pam", "su"]);
    assert!(image.has("/etc/pam.d/su"), "{}", image.said);
}

#[test]
fn adds_a_plugin_family_with_its_dependencies() {
    let plugins = "/usr/lib/x86_64-linux-gnu/krb5/plugins/preauth/spake.so";
    if !is_installed("/usr/bin/curl", "curl") || !is_installed(plugins, "libkrb5-3") {
        return;
    }
    let project = Project::new();
    let without = Image::of(&project, &["/usr/bin/curl"]);
    // libcurl needs Kerberos for a rare feature, so there is no hint.
    assert!(!without.said.contains("krb5") && !without.has(plugins), "{}", without.said);
    let image = Image::of(&project, &["/usr/bin/curl", "--plugins", "krb5"]);
    assert!(image.has(plugins) && !image.said.contains("plugins of"), "{}", image.said);
    let said = refused(&Project::hello(&[]), &["hello", "--plugins", "krb5"]);
    assert!(said.starts_with("error: cannot add the plugins `krb5`: no `libkrb5.so` is mapped"), "{said}");
}

/// A program that does one job of a library with plugins, whose headers are not needed.
fn job(project: &Project, library: &str, source: &str) -> bool {
    let path = format!("/usr/lib/x86_64-linux-gnu/{library}");
    if !is_installed(&path, library) {
        return false;
    }
    project.program("job", source, &[&path]);
    true
}

#[test]
fn plugins_of_gdk_pixbuf_open_pictures() {
    const SOURCE: &str = r#"
        #include <stdio.h>
        struct error { unsigned domain; int code; char *message; };
        void *gdk_pixbuf_new_from_file(const char *, struct error **);
        int gdk_pixbuf_get_width(void *);
        int main(int count, char **files) {
            for (int i = 1; i < count; i++) {
                struct error *error = 0;
                void *picture = gdk_pixbuf_new_from_file(files[i], &error);
                if (picture) printf("%d\n", gdk_pixbuf_get_width(picture)); else puts(error->message);
            }
        }
    "#;
    let project = Project::new();
    if !job(&project, "libgdk_pixbuf-2.0.so.0", SOURCE) {
        return;
    }
    // A bitmap of 3 by 1 pixels, and an X pixmap.
    let header = [
        b"BM\x42\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x03\0\0\0\x01\0\0\0\x01\0\x18\0".as_slice(),
        &[0; 24],
        &[9; 12],
    ];
    project.file("pictures/a.bmp", header.concat());
    project.file(
        "pictures/a.xpm",
        "/* XPM */\nstatic char *a[] = {\n\"2 1 1 1\",\n\"a c #ff0000\",\n\"aa\"};\n",
    );
    let arguments =
        ["job", "--include", "pictures:/p", "--plugins", "gdk-pixbuf", "--", "/p/a.bmp", "/p/a.xpm"];
    if let Some(printed) = Image::of(&project, &arguments).prints() {
        assert_eq!(printed, "3\n2\n");
    }
}

#[test]
fn plugins_of_alsa_open_a_device() {
    const SOURCE: &str = r#"
        #include <stdio.h>
        int snd_pcm_open(void **, const char *, int, int);
        const char *snd_pcm_name(void *);
        const char *snd_strerror(int);
        int main(void) {
            void *device;
            int error = snd_pcm_open(&device, "null", 1, 0);
            puts(error ? snd_strerror(error) : snd_pcm_name(device));
        }
    "#;
    let project = Project::new();
    // The test runs without the directory /dev of a container.
    project.file("empty", "");
    if !job(&project, "libasound.so.2", SOURCE)
        || !is_installed("/usr/share/alsa/alsa.conf", "libasound2-data")
    {
        return;
    }
    if let Some(printed) =
        Image::of(&project, &["job", "--plugins", "alsa", "--include", "empty:/dev/full"]).prints()
    {
        assert_eq!(printed, "null\n");
    }
}

#[test]
fn plugins_of_egl_render() {
    const SOURCE: &str = r#"
        #include <stdio.h>
        void *eglGetPlatformDisplay(unsigned, void *, const long *);
        unsigned eglInitialize(void *, int *, int *);
        const char *eglQueryString(void *, int);
        int main(void) {
            int major, minor;
            /* Without a surface: EGL_PLATFORM_SURFACELESS_MESA, EGL_VENDOR. */
            void *display = eglGetPlatformDisplay(0x31DD, 0, 0);
            puts(eglInitialize(display, &major, &minor) ? eglQueryString(display, 0x3053) : "no driver");
        }
    "#;
    let project = Project::new();
    let vendor = "/usr/share/glvnd/egl_vendor.d/50_mesa.json";
    if !job(&project, "libEGL.so.1", SOURCE)
        || !is_installed(vendor, "libegl-mesa0")
        || !is_installed("/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so", "libgl1-mesa-dri")
    {
        return;
    }
    if let Some(printed) = Image::of(&project, &["job", "--plugins", "egl"]).prints() {
        assert_eq!(printed, "Mesa Project\n");
    }
}

#[test]
fn plugins_of_installed_programs_do_their_jobs() {
    for (family, program, package, arguments, expected) in [
        (
            "gstreamer",
            "/usr/bin/gst-inspect-1.0",
            "gstreamer1.0-tools",
            &["--", "fakesink"][..],
            "Black hole for data",
        ),
        ("gio", "/usr/bin/gsettings", "libglib2.0-bin", &["--", "list-schemas"], "org."),
        ("sasl2", "/usr/sbin/saslpluginviewer", "sasl2-bin", &["--", "-c"], "Plugin \"plain\" [loaded]"),
        (
            "vulkan",
            "/usr/bin/vulkaninfo",
            "vulkan-tools",
            &["--dlopen", "libvulkan.so.1", "--", "--summary"],
            "deviceName         = llvmpipe",
        ),
        (
            "gtk3",
            "/usr/lib/x86_64-linux-gnu/libgtk-3-0/gtk-query-immodules-3.0",
            "libgtk-3-0",
            &[],
            "im-ipa.so",
        ),
    ] {
        if !is_installed(program, package) {
            continue;
        }
        let project = Project::new();
        let arguments = [&[program, "--plugins", family], arguments].concat();
        let image = Image::of(&project, &arguments);
        assert!(!image.said.contains(&format!("plugins of `{family}`")), "{}", image.said);
        if family == "gstreamer" {
            assert!(image.has_file("gst-plugin-scanner"), "{:?}", image.layout.entries());
        }
        if let Some(printed) = image.prints() {
            assert!(printed.contains(expected), "{family}: {printed}");
        }
    }
}
