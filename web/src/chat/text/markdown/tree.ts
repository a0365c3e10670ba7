/**
 * What a message means once its Markdown is read: a typed tree, from which the view makes elements. There is no way
 * from text to markup but through these types.
 */

export type Block =
  | { readonly type: "paragraph"; readonly content: readonly Inline[] }
  | { readonly type: "quote"; readonly blocks: readonly Block[] }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "list"; readonly start: number | null; readonly items: readonly (readonly Inline[])[] };

export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "strong" | "emphasis" | "strike"; readonly content: readonly Inline[] }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "link"; readonly href: string; readonly content: readonly Inline[] }
  | { readonly type: "mention"; readonly name: string }
  | { readonly type: "break" };
