//! What programs need besides what their loaders map: real programs, packed and run in their images, where each need is
//! met or missed for real.

mod built_image;
mod c_library;
mod certificates;
mod dlopen;
mod included_elf_files;
mod plugins;
