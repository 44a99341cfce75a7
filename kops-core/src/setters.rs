//! Chainable setters for public data types.

/// Writes methods that set a member of a struct and return it.
///
/// A type that may grow is `#[non_exhaustive]`: other crates make it with a constructor that takes what is required, and
/// set the rest by methods named after the members. This writes those methods, inside an `impl`, by how a member takes
/// its argument:
///
/// - `set name: T;` takes a `T`.
/// - `into name: T;` takes whatever becomes a `T`.
/// - `text name;` takes whatever becomes a `String`, for a member that is an `Option<String>`.
/// - `option name: T;` takes a `T` or an `Option<T>`.
/// - `extend name: T;` adds the items to a member that is a collection of `T`.
/// - `texts name;` adds whatever becomes a `String` to a member that is a collection of `String`s.
///
/// ```
/// /// What only this provider understands.
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
