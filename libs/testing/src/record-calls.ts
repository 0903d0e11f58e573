/**
 * Adds `began` to `steps` whenever a method of an object is called, and `ended`, where it is given, as soon as what the method
 * returned has resolved. The method does its work all the same.
 */
export function recordCalls<Method extends string>(
  steps: string[],
  object: Record<Method, () => unknown>,
  method: Method,
  began: string,
  ended?: string,
): void {
  const original = object[method].bind(object);
  object[method] = () => {
    steps.push(began);
    const result = original();
    if (ended !== undefined) void Promise.resolve(result).then(() => steps.push(ended));
    return result;
  };
}
