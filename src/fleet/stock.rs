//! The packages of a station, each read once and shared by all slots.

use std::path::PathBuf;
use std::sync::Arc;

use super::config::{Config, Product};
use crate::error::{Error, Kind};
use crate::firmware::{self, Package};
use crate::identity::OrderingCode;

/// The packages of a station, in memory.
#[derive(Debug)]
pub struct Stock {
    products: Vec<(Product, Arc<Package>)>,
    file: PathBuf,
}

impl Stock {
    /// Reads every package once, however many products it serves.
    ///
    /// # Errors
    /// Those of [`firmware::resolve`], and [`Kind::PackageOther`] when a file is not the one that was pinned.
    pub fn load(config: &Config) -> Result<Self, Error> {
        let mut products: Vec<(Product, Arc<Package>)> = Vec::new();
        for product in &config.products {
            let known = products.iter().find(|(other, _)| other.file == product.file);
            let package = match known {
                Some((_, package)) => Arc::clone(package),
                None => Arc::new(firmware::resolve(&product.file)?),
            };
            if package.sha256() != product.sha256 {
                let text = format!(
                    "`{}` has the SHA-256 {}, `{}` pins {} for {}",
                    product.file.display(),
                    package.sha256(),
                    config.file.display(),
                    product.sha256,
                    product.ordering_code
                );
                let hint = "nothing was touched; put the right file there, or pin this one if it is";
                return Err(Error::new(Kind::PackageOther, text).hint(hint));
            }
            products.push((product.clone(), package));
        }
        let file = config.file.clone();
        Ok(Stock { products, file })
    }

    /// What a module with this ordering code gets.
    ///
    /// # Errors
    /// [`Kind::UnknownPackage`] when no product is for it.
    pub fn product_for(&self, code: &OrderingCode) -> Result<&(Product, Arc<Package>), Error> {
        let fits = |(product, _): &&(Product, Arc<Package>)| product.ordering_code.same_submodel(code);
        self.products.iter().find(fits).ok_or_else(|| {
            let text = format!("refused: `{}` has no product for {code}", self.file.display());
            Error::new(Kind::UnknownPackage, text).hint("this station does not flash such modules")
        })
    }
}
