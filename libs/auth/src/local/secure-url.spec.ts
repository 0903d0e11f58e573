import { isAsSecure, isSecureUrl } from './secure-url.js';

describe('a secure URL', () => {
  it.each([
    ['https://id.example.org', true],
    ['http://localhost:8080/path', true],
    ['http://127.9.9.9', true],
    ['http://[::1]:80', true],
    ['http://id.example.org', false],
    ['http://127.example.org', false],
    ['http://localhost.example.org', false],
    ['ftp://localhost', false],
    ['https://user@id.example.org', false],
    ['https://:secret@id.example.org', false],
  ])('is one that nobody on the way can change, without a login: %s', (url, isSecure) => {
    expect(isSecureUrl(new URL(url))).toBe(isSecure);
  });

  it.each([
    ['https://keys.example.org/?p=policy', 'https://id.example.org', true],
    ['http://localhost/keys', 'https://id.example.org', false],
    ['http://localhost/keys', 'http://127.0.0.1', true],
    ['https://keys.example.org', 'http://localhost', true],
    ['http://keys.example.org', 'http://localhost', false],
    ['https://user@keys.example.org', 'https://id.example.org', false],
  ])('is as secure as the document that refers to it: %s in %s', (url, document, isIt) => {
    expect(isAsSecure(new URL(url), new URL(document))).toBe(isIt);
  });
});
