import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ContentHooks } from './content-hooks.js';
import { ContentObjectEntity } from './content-object.entity.js';
import { ContentSerializer } from './content-serializer.js';
import { ContentController } from './content.controller.js';
import { ContentRepository } from './content.repository.js';
import { ContentService } from './content.service.js';
import { Components } from './editor/components.js';
import { EditorController } from './editor/editor.controller.js';
import { NavigationRepository } from './editor/navigation.repository.js';
import { UserController } from './editor/user.controller.js';
import { LockTokenGuard } from './lock-token.guard.js';
import { LoginController } from './login/login.controller.js';

/** The content tree. What protects it from two editors at once registers at `ContentHooks`. */
@Module({
  imports: [TypeOrmModule.forFeature([ContentObjectEntity])],
  controllers: [ContentController, LoginController, EditorController, UserController],
  providers: [
    ContentHooks,
    ContentRepository,
    ContentService,
    ContentSerializer,
    LockTokenGuard,
    NavigationRepository,
    Components,
  ],
  exports: [ContentHooks, ContentService, ContentSerializer, LockTokenGuard],
})
export class ContentModule {}
