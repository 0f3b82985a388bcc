//! Dependencies that no loader maps. Real programs are packed and run in their images with and
//! without them.

mod audit_modules;
mod built_image;
mod c_library;
mod certificates;
mod dlopen;
mod hints;
mod hostile_text;
mod included_elf_files;
mod included_libraries;
mod openssl;
mod plugins;
mod virtual_environment;
