//! Small ELF files written from a description: 64 bits, little-endian, one segment, a dynamic
//! section, and any tables after the strings.

/// The fields of an ELF file to write; the defaults make a shared object for x86-64 that needs nothing.
pub struct SyntheticElf {
    pub machine: u16,
    pub kind: u16,
    pub interpreter: Option<&'static str>,
    pub needed: Vec<&'static str>,
    pub soname: Option<&'static str>,
    pub rpath: Option<&'static str>,
    pub runpath: Option<&'static str>,
    pub flags_1: u64,
    /// Strings at the start of the string table, the first at offset 1.
    pub names: Vec<&'static str>,
    /// Tables, each with the tag that gets its address.
    pub tables: Vec<(u64, Vec<u8>)>,
    /// Other entries of the dynamic section.
    pub entries: Vec<(u64, u64)>,
}

impl Default for SyntheticElf {
    fn default() -> Self {
        Self {
            machine: 62,
            kind: 3,
            interpreter: None,
            needed: Vec::new(),
            soname: None,
            rpath: None,
            runpath: None,
            flags_1: 0,
            names: Vec::new(),
            tables: Vec::new(),
            entries: Vec::new(),
        }
    }
}

const EHDR: usize = 64;
const PHDR: usize = 56;

impl SyntheticElf {
    /// Returns the file's bytes: header, three program headers, strings, tables and dynamic section.
    /// Addresses are file offsets.
    pub fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut add = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.bytes().chain([0]));
            at
        };
        for name in &self.names {
            add(name);
        }
        let mut entries: Vec<(u64, u64)> = self.needed.iter().map(|name| (1, add(name))).collect();
        entries.extend(self.soname.map(|name| (14, add(name))));
        entries.extend(self.rpath.map(|path| (15, add(path))));
        entries.extend(self.runpath.map(|path| (29, add(path))));
        let interpreter = self.interpreter.map(|path| (add(path), path.len() as u64 + 1));
        entries.push((0x6fff_fffb, self.flags_1));

        let table = (EHDR + 3 * PHDR) as u64;
        entries.extend([(5, table), (10, strings.len() as u64), (0, 0)]);
        let align = |bytes: &mut Vec<u8>| {
            bytes.resize((bytes.len() + EHDR + 3 * PHDR).next_multiple_of(8) - EHDR - 3 * PHDR, 0);
        };
        align(&mut strings);
        for (tag, bytes) in &self.tables {
            entries.insert(0, (*tag, table + strings.len() as u64));
            strings.extend(bytes);
            align(&mut strings);
        }
        entries.splice(0..0, self.entries.iter().copied());
        let dynamic = table + strings.len() as u64;
        let size = entries.len() as u64 * 16;

        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([self.kind, self.machine].iter().flat_map(|half| half.to_le_bytes()));
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend([0, EHDR as u64, 0_u64].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend([64, 56, 3, 64, 0, 0_u16].iter().flat_map(|half| half.to_le_bytes()));
        segment(&mut bytes, 1, 0, dynamic + size);
        segment(&mut bytes, 2, dynamic, size);
        match interpreter {
            Some((at, size)) => segment(&mut bytes, 3, table + at, size),
            None => segment(&mut bytes, 0, 0, 0),
        }
        bytes.extend(&strings);
        bytes.extend(
            entries.iter().flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat()),
        );
        bytes
    }
}

fn segment(bytes: &mut Vec<u8>, kind: u32, offset: u64, size: u64) {
    bytes.extend([kind, 5].iter().flat_map(|half| half.to_le_bytes()));
    bytes.extend([offset, offset, offset, size, size, 1].iter().flat_map(|word| word.to_le_bytes()));
}
