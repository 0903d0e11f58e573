/** The id of the n-th job: a ULID in Armada's form. */
export function jobIdOf(n: number): string {
  return `01m85vrgp7whz55k${n.toString().padStart(10, '0')}`;
}
