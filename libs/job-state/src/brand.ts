declare const brand: unique symbol;

/**
 * A text that only its maker may call so: two of different names cannot be taken for one another, nor any text for one of
 * them. There is nothing of it at run time.
 */
export type Brand<Name extends string> = string & { readonly [brand]: Name };
