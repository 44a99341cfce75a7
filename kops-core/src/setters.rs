//! Chainable setters for public data types.

/// Generates methods that set a field of a struct and return the struct.
///
/// A type that may get more fields is `#[non_exhaustive]`: other crates create it with a constructor for the required
/// fields, and set the others with methods named after them. This macro generates those methods, inside an `impl`,
/// depending on how a field takes its argument:
///
/// - `set name: T;` takes a `T`.
/// - `into name: T;` takes an `impl Into<T>`.
/// - `text name;` takes an `impl Into<String>`, for a field of type `Option<String>`.
/// - `option name: T;` takes a `T` or an `Option<T>`.
/// - `extend name: T;` adds items to a field that is a collection of `T`.
/// - `texts name;` adds items that are `Into<String>` to a field that is a collection of `String`s.
///
/// ```
/// /// Settings that only this provider understands.
/// #[derive(Default)]
/// #[non_exhaustive]
/// pub struct Tuning {
///     /// The class of hosts.
///     pub host_class: Option<String>,
///     /// The percentage of a processor that is guaranteed.
///     pub share: Option<u8>,
/// }
///
/// impl Tuning {
///     kops_core::setters! {
///         /// Sets the class of hosts.
///         text host_class;
///         /// Sets the percentage of a processor that is guaranteed.
///         option share: u8;
///     }
/// }
///
/// let tuning = Tuning::default().host_class("dense").share(50);
/// assert_eq!(tuning.share, Some(50));
/// ```
#[macro_export]
macro_rules! setters {
    () => {};
    ($(#[$doc:meta])* set $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }
        $crate::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* into $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = $name.into();
            self
        }
        $crate::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* text $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            self.$name = Some($name.into());
            self
        }
        $crate::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* option $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl Into<Option<$type>>) -> Self {
            self.$name = $name.into();
            self
        }
        $crate::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* extend $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl IntoIterator<Item = $type>) -> Self {
            self.$name.extend($name);
            self
        }
        $crate::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* texts $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.$name.extend($name.into_iter().map(Into::into));
            self
        }
        $crate::setters! { $($rest)* }
    };
}
