import { requireAuthMode } from './index.js';

describe('who may read', () => {
  it('everyone, where that was said in words', () => {
    expect(requireAuthMode({ authMode: 'anonymous' })).toBe('anonymous');
  });

  it.each(['delegated', 'local'] as const)('nobody with %s yet, with a word on what to do', (authMode) => {
    expect(() => requireAuthMode({ authMode })).toThrow(`AUTH_MODE is "${authMode}"`);
    expect(() => requireAuthMode({ authMode })).toThrow('AUTH_MODE=anonymous');
  });
});
