use coracle_core::file_system::MemoryFs;

use crate::{FileSelection, Inventory};

/// A header as databases have it.
fn header(name: &str, epoch: Option<u32>, files: &[(&str, &str)]) -> Vec<u8> {
    let strings =
        |values: &[&str]| values.iter().flat_map(|value| [value.as_bytes(), b"\0"].concat()).collect();
    let numbers = |values: &[u32]| values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let directories: Vec<&str> = files.iter().map(|(directory, _)| *directory).collect();
    let names: Vec<&str> = files.iter().map(|(_, name)| *name).collect();
    let indexes: Vec<u32> = (0..u32::try_from(files.len()).unwrap()).collect();
    let digests = vec!["ab".repeat(32); files.len()];
    let digests: Vec<&str> = digests.iter().map(String::as_str).collect();
    let mut data: Vec<(u32, usize, Vec<u8>)> = vec![
        (1000, 1, strings(&[name])),
        (1001, 1, strings(&["3.0"])),
        (1002, 1, strings(&["1.fc40"])),
        (1011, 1, strings(&["Fedora Project"])),
        (1014, 1, strings(&["Apache-2.0"])),
        (1022, 1, strings(&["x86_64"])),
        (1044, 1, strings(&["openssl-3.0-1.fc40.src.rpm"])),
        (1035, files.len(), strings(&digests)),
        (1118, files.len(), strings(&directories)),
        (1117, files.len(), strings(&names)),
    ];
    let align = |data: &[(u32, usize, Vec<u8>)]| data.iter().map(|(.., bytes)| bytes.len()).sum::<usize>();
    let padding = vec![0; (4 - align(&data) % 4) % 4];
    data.push((9999, 0, padding));
    data.push((1116, files.len(), numbers(&indexes)));
    data.extend(epoch.map(|epoch| (1003, 1, numbers(&[epoch]))));
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for (tag, count, bytes) in &data {
        let fields = [*tag, 6, u32::try_from(store.len()).unwrap(), u32::try_from(*count).unwrap()];
        index.extend(fields.map(u32::to_be_bytes).concat());
        store.extend(bytes);
    }
    let sizes = [data.len(), store.len()].map(|size| u32::try_from(size).unwrap().to_be_bytes());
    [sizes.concat(), index, store].concat()
}

fn packages() -> Vec<Vec<u8>> {
    vec![
        header("openssl-libs", Some(1), &[("/usr/lib64/", "libssl.so.3"), ("/", "lib64")]),
        header("gpg-pubkey", None, &[]),
        header("zlib", None, &[("/lib64/", "libz.so.1")]),
    ]
}

fn little_endian(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn ndb(packages: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [b"RpmP".to_vec(), little_endian(&[0, 0, 1, 0, 0, 0, 0])].concat();
    let (mut slots, mut blobs) = (Vec::new(), Vec::new());
    for (index, package) in (1..).zip(packages) {
        let block = u32::try_from((4096 + blobs.len()) / 16).unwrap();
        slots.extend([b"Slot".to_vec(), little_endian(&[index, block, 0])].concat());
        let length = u32::try_from(package.len()).unwrap();
        blobs.extend([b"BlbS".to_vec(), little_endian(&[index, 0, length]), package.clone()].concat());
        blobs.resize(blobs.len().next_multiple_of(16), 0);
    }
    file.extend(slots);
    file.resize(4096, 0);
    file.extend(blobs);
    file
}

/// A hash table with a page of entries, and a chain of overflow pages for each package.
fn berkeley(packages: &[Vec<u8>]) -> Vec<u8> {
    const PAGE: usize = 512;
    let mut pages = vec![vec![0; PAGE]; 2];
    let count = u16::try_from(packages.len() * 2).unwrap();
    pages[1][20..22].copy_from_slice(&count.to_le_bytes());
    pages[1][25] = 13;
    for (index, package) in packages.iter().enumerate() {
        let entry = PAGE - (index + 1) * 12;
        let slot = 26 + (index * 2 + 1) * 2;
        pages[1][slot..slot + 2].copy_from_slice(&u16::try_from(entry).unwrap().to_le_bytes());
        pages[1][entry] = 3;
        let numbers = [pages.len(), package.len()].map(|number| u32::try_from(number).unwrap());
        pages[1][entry + 4..entry + 12].copy_from_slice(&little_endian(&numbers));
        for chunk in package.chunks(PAGE - 26) {
            let mut page = vec![0; PAGE];
            let next = u32::try_from(pages.len() + 1).unwrap();
            page[16..20].copy_from_slice(&next.to_le_bytes());
            page[22..24].copy_from_slice(&u16::try_from(chunk.len()).unwrap().to_le_bytes());
            page[25] = 7;
            page[26..26 + chunk.len()].copy_from_slice(chunk);
            pages.push(page);
        }
    }
    pages[0][12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
    pages[0][20..24].copy_from_slice(&512_u32.to_le_bytes());
    let last = u32::try_from(pages.len() - 1).unwrap();
    pages[0][32..36].copy_from_slice(&last.to_le_bytes());
    pages.concat()
}

/// A table with a leaf page for each package. Rows are longer than a page.
fn sqlite(packages: &[Vec<u8>]) -> Vec<u8> {
    const PAGE: usize = 512;
    fn varint(number: usize) -> Vec<u8> {
        let low = |shift: usize| u8::try_from(number >> shift & 0x7f).unwrap();
        vec![0x80 | low(14), 0x80 | low(7), low(0)]
    }
    fn row(columns: &[(usize, &[u8])]) -> Vec<u8> {
        let types: Vec<u8> = columns.iter().flat_map(|(kind, _)| varint(*kind)).collect();
        let body: Vec<u8> = columns.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
        [varint(types.len() + 3), types, body].concat()
    }
    let mut pages: Vec<Vec<u8>> = vec![vec![0; PAGE]; 2];
    pages[0][..16].copy_from_slice(b"SQLite format 3\0");
    pages[0][16..18].copy_from_slice(&512_u16.to_be_bytes());
    let text = |text: &'static str| (text.len() * 2 + 13, text.as_bytes());
    let schema = row(&[text("table"), text("Packages"), text("Packages"), (1, &[2]), text("CREATE")]);
    let cell = [varint(schema.len()), varint(1), schema].concat();
    pages[0][100] = 13;
    pages[0][104] = 1;
    pages[0][108..110].copy_from_slice(&300_u16.to_be_bytes());
    pages[0][300..300 + cell.len()].copy_from_slice(&cell);
    let mut children = Vec::new();
    for package in packages {
        let record = row(&[(0, &[]), (package.len() * 2 + 12, package)]);
        children.push(u32::try_from(pages.len() + 1).unwrap());
        let mut leaf = vec![0; PAGE];
        (leaf[0], leaf[4]) = (13, 1);
        leaf[8..10].copy_from_slice(&10_u16.to_be_bytes());
        let local = 39 + (record.len() - 39) % 508;
        let local = if local > 477 { 39 } else { local };
        let (start, rest) = record.split_at(local);
        let next = u32::try_from(pages.len() + 2).unwrap();
        let cell = [varint(record.len()), varint(1), start.to_vec(), next.to_be_bytes().to_vec()].concat();
        leaf[10..10 + cell.len()].copy_from_slice(&cell);
        pages.push(leaf);
        for chunk in rest.chunks(508) {
            let next = u32::try_from(pages.len() + 2).unwrap();
            let mut page = [next.to_be_bytes().to_vec(), chunk.to_vec()].concat();
            page.resize(PAGE, 0);
            pages.push(page);
        }
    }
    let (last, others) = children.split_last().unwrap();
    pages[1][0] = 5;
    pages[1][4] = u8::try_from(others.len()).unwrap();
    pages[1][8..12].copy_from_slice(&last.to_be_bytes());
    for (index, child) in others.iter().enumerate() {
        let (pointer, cell) = (12 + index * 2, 100 + index * 8);
        pages[1][pointer..pointer + 2].copy_from_slice(&u16::try_from(cell).unwrap().to_be_bytes());
        pages[1][cell..cell + 4].copy_from_slice(&child.to_be_bytes());
    }
    pages.concat()
}

fn databases() -> [(&'static str, Vec<u8>); 3] {
    [
        ("/usr/lib/sysimage/rpm/rpmdb.sqlite", sqlite(&packages())),
        ("/usr/lib/sysimage/rpm/Packages.db", ndb(&packages())),
        ("/var/lib/rpm/Packages", berkeley(&packages())),
    ]
}

fn files(path: &str, bytes: &[u8]) -> MemoryFs {
    let mut files = MemoryFs::from_text("/lib64 -> usr/lib64");
    files.add_file(path, bytes);
    files
}

#[test]
fn reads_all_formats() {
    for (path, bytes) in databases() {
        let inventory = Inventory::read(&files(path, &bytes), FileSelection::All).unwrap();
        let names: Vec<String> = inventory.packages.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["openssl-libs 1:3.0-1.fc40", "zlib 3.0-1.fc40"], "{path}");
        let openssl = &inventory.packages[0];
        let source = openssl.source.as_ref().unwrap();
        assert_eq!((source.name.as_str(), source.version.as_deref()), ("openssl", Some("3.0-1.fc40")));
        assert_eq!(openssl.licence.as_deref(), Some("Apache-2.0"));
        assert!(openssl.files[&"/usr/lib64/libssl.so.3".parse().unwrap()].is_some());
        let wanted = ["/usr/lib64/libz.so.1".parse().unwrap()].into();
        let inventory = Inventory::read(&files(path, &bytes), FileSelection::Paths(&wanted)).unwrap();
        assert_eq!(inventory.packages.len(), 1, "{path}");
        assert_eq!(inventory.owner_of(wanted.first().unwrap()).unwrap().name, "zlib", "{path}");
    }
}

/// No byte of a database makes the reader fail otherwise than with an error, or run forever.
#[test]
fn damaged_databases_are_errors() {
    for (path, bytes) in databases() {
        for (length, damage) in (0..bytes.len()).step_by(7).flat_map(|at| [(at, 0), (at, 255), (at, 1)]) {
            let mut damaged = bytes.clone();
            damaged[length] = damage;
            drop(Inventory::read(&files(path, &damaged), FileSelection::All));
            drop(Inventory::read(&files(path, &bytes[..length]), FileSelection::All));
        }
        let error = Inventory::read(&files(path, b"x"), FileSelection::All).unwrap_err().to_string();
        assert!(error.contains(&format!("`{path}` is damaged: it is no ")), "{error}");
    }
    let mut circular = sqlite(&packages());
    circular[512 + 8..512 + 12].copy_from_slice(&2_u32.to_be_bytes());
    let error = Inventory::read(&files(databases()[0].0, &circular), FileSelection::All).unwrap_err();
    assert!(error.to_string().ends_with("a page of its tables is invalid"), "{error}");
}

#[test]
fn reads_the_list_of_images_without_a_database() {
    let line = "bash\t5.2-1.fc40\t0\t0\tFedora Project\t(none)\t0\tx86_64\t0\tbash-5.2-1.fc40.src.rpm\n";
    let files = files("/var/lib/rpmmanifest/container-manifest-2", line.as_bytes());
    let inventory = Inventory::read(&files, FileSelection::All).unwrap();
    assert_eq!(inventory.packages[0].to_string(), "bash 5.2-1.fc40");
    let written = crate::package_evidence(&inventory.packages);
    assert_eq!(String::from_utf8_lossy(&written[0].bytes), line);
}
